"""The model server that the settings name. Light: whoever only asks which one it is need not load torch."""

from dataclasses import replace

from consumers.settings import Vlm
from model.served.address import ServedModel, ServerAddress


def served_model(vlm: Vlm) -> ServedModel | None:
    """The model on a server that the settings name; None where HumanVLM runs in this process.

    Raises:
        SettingsError: The file with the server's key cannot be read.
    """
    server = vlm.server
    if not server.url:
        return None
    address = ServerAddress(
        server.url,
        server.model,
        api_key=server.key(),
        concurrency=server.concurrency,
        timeout_s=server.timeout_s,
    )
    captions = replace(address, url=server.captions_url or server.url, model=server.captions_model or server.model)
    return ServedModel(
        address,
        captions,
        route=server.route,
        pictures=server.pictures,
        tower=server.tower,
        sheet=server.decision_sheet,
        offers_cannot_tell=server.offers_cannot_tell,
    )
