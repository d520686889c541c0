"""Where somebody was seen: the clip that plays, or the picture, with a box around them."""

from consumers.web.components.clip_player import ClipPlayer, Walked
from consumers.web.components.markup import Markup, tag
from consumers.web.components.words import still
from streamer.bus.media import is_picture_uri


def footage_view(person: Walked, best: str = "Best look") -> None:
    """Show a person's clip from the second named `best`, or the picture they are in."""
    if is_picture_uri(person.clip.url):
        still(boxed_picture(person))
    else:
        ClipPlayer(person, best)


def boxed_picture(person: Walked) -> Markup:
    """The whole picture with the person's box; a click opens it alone, as large as it is."""
    clip, box = person.clip, person.path[0]
    alt = f"Picture of camera {person.camera_id}; the person is in the box"
    image = tag("img", src=clip.url, alt=alt, width=clip.width_px, height=clip.height_px)
    where = f"left:{box.left:.2%};top:{box.top:.2%};width:{box.width:.2%};height:{box.height:.2%}"
    shape = (
        f"aspect-ratio:{clip.width_px}/{clip.height_px};max-width:calc(60dvh * {clip.width_px / clip.height_px:.4f})"
    )
    return tag(
        "a",
        image,
        tag("div", class_="walker", aria_hidden="true", style=where),
        class_="screen",
        href=clip.url,
        target="_blank",
        style=shape,
    )
