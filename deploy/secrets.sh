#!/bin/sh
# Makes the secrets that docker-compose.yml names, each in a file of its own, and leaves alone what is there.
#   deploy/secrets.sh [FOLDER]
# The folder is closed to others; the files in it are not, because the services that read them run as other users.
set -eu
folder=${1:-${CREWSIGHT_SECRETS:-secrets}}
umask 022
mkdir -p "$folder/cameras"
chmod 700 "$folder"
chmod 755 "$folder/cameras"

make() { # name, bytes of randomness
  [ -s "$folder/$1" ] || head -c "$2" /dev/urandom | od -An -vtx1 | tr -d ' \n' > "$folder/$1"
}
make database_password 24
make minio_root_user 10
make minio_root_password 24
make s3_key_id 10
make s3_secret_key 24
make search_token 24
make administrator_password 10
make grafana_password 10
[ -s "$folder/channels" ] || printf '{}' > "$folder/channels"

echo "Secrets are in $folder. The administrator's first password is in $folder/administrator_password."
