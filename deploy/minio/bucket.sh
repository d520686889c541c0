#!/bin/sh
# Makes the bucket, and a key that may use it: once, and again without harm. Runs in MinIO's own image.
set -eu
bucket=${MEDIA_URL#s3://}
bucket=${bucket%%/*}
secret() { cat "/run/secrets/$1"; }

mc alias set local http://minio:9000 "$(secret minio_root_user)" "$(secret minio_root_password)" >/dev/null
mc mb --ignore-existing "local/$bucket"
cat > /tmp/policy.json <<POLICY
{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetBucketLocation"], "Resource": ["arn:aws:s3:::$bucket"]},
  {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
   "Resource": ["arn:aws:s3:::$bucket/*"]}
]}
POLICY
mc admin policy create local crewsight /tmp/policy.json
mc admin user add local "$(secret s3_key_id)" "$(secret s3_secret_key)"
# Attaching a policy that is attached already is refused, and then nothing is to be done.
if ! mc admin policy attach local crewsight --user "$(secret s3_key_id)"; then
  case "$(mc admin user info local "$(secret s3_key_id)")" in *crewsight*) ;; *) exit 1 ;; esac
fi
