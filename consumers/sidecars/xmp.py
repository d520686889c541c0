"""XMP: what is said of a picture, put into a packet that may hold what others wrote. Pure.

The packet is RDF/XML as ISO 16684-1 has it; regions are those of the Metadata Working Group (Guidelines for Handling
Image Metadata 2.0, 5.9), in the pixels that the file stores. A region has no `Type`: the only ones are Face, Pet, Focus
and BarCode, and a whole person is none of them; it has no `Name`, as we know nobody's.

What is ours is noted in properties of our own, so that a later writing can tell it from what others added: theirs
stays, ours is brought up to date.
"""

import io
from collections.abc import Iterable, Iterator
from xml.etree import ElementTree as ET

from consumers.errors import SidecarError
from consumers.sidecars.said import Area, PictureSaid, Region

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
NAMESPACES = {
    "x": "adobe:ns:meta/",
    "rdf": RDF,
    "dc": "http://purl.org/dc/elements/1.1/",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "stArea": "http://ns.adobe.com/xmp/sType/Area#",
    "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
    "crewsight": "urn:crewsight:xmp:1.0:",
}
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
END = '\n<?xpacket end="w"?>\n'
SAME_WITHIN = 0.003  # of a picture's side: other programs round boxes to pixels of their own


def merged(packet: bytes | None, said: PictureSaid | None) -> bytes | None:
    """The packet with what is said in it; None when nothing would be left.

    Args:
        packet: What the sidecar holds, or None.
        said: What is to be said; None takes out what was said before.

    Raises:
        SidecarError: The packet is no XMP.
    """
    root = _parsed(packet) if packet is not None else ET.Element(_name("x:xmpmeta"))
    description = _description(root)
    _describe(root, description, said.description if said else "")
    _tag(root, description, said.keywords if said else ())
    _mark(root, description, said)
    if not any(len(node) or _properties(node) for node in root.iter(_name("rdf:Description"))):
        return None
    ET.indent(root, " ")
    return (BEGIN + ET.tostring(root, encoding="unicode") + END).encode()


def _parsed(packet: bytes) -> ET.Element:
    if b"<!DOCTYPE" in packet or b"<!ENTITY" in packet:
        raise SidecarError("it has a document type, which XMP has not")
    try:
        for _, (prefix, uri) in ET.iterparse(io.BytesIO(packet), events=["start-ns"]):
            if prefix and not prefix.startswith("ns") and uri not in NAMESPACES.values():
                ET.register_namespace(prefix, uri)  # others' names stay as they wrote them
        root = ET.fromstring(packet)
    except (ET.ParseError, ValueError, LookupError) as error:
        raise SidecarError(f"it is no XML: {error}") from error
    if root.tag == _name("rdf:RDF"):
        whole = ET.Element(_name("x:xmpmeta"))
        whole.append(root)
        return whole
    if root.find(_name("rdf:RDF")) is None:
        raise SidecarError("it is no XMP: it holds no rdf:RDF")
    return root


def _describe(root: ET.Element, description: ET.Element, words: str) -> None:
    """Our sentences, where there are none or ours."""
    before = _text_of(_find(root, "crewsight:Description"))
    _remove(root, "crewsight:Description")
    alternatives = _find(root, "dc:description")
    stated = next((li for li in _items(alternatives) if li.get(LANGUAGE, "x-default") == "x-default"), None)
    is_foreign = stated is not None and (stated.text or "") != before
    if _is_attribute(root, "dc:description") or (alternatives is not None and stated is None) or is_foreign:
        pass  # what somebody wrote of the picture stands
    elif words:
        _remove(root, "dc:description")
        _list(description, "dc:description", "rdf:Alt", [words]).set(LANGUAGE, "x-default")
    elif stated is not None:
        _remove(root, "dc:description")
    if words:
        ET.SubElement(description, _name("crewsight:Description")).text = words


def _tag(root: ET.Element, description: ET.Element, keywords: Iterable[str]) -> None:
    """Our keywords behind those of others."""
    ours = {li.text for li in _items(_find(root, "crewsight:Keywords"))}
    foreign = [li.text or "" for li in _items(_find(root, "dc:subject")) if li.text not in ours]
    added = [word for word in keywords if word not in foreign]
    _remove(root, "dc:subject")
    _remove(root, "crewsight:Keywords")
    if foreign or added:
        _list(description, "dc:subject", "rdf:Bag", [*foreign, *added])
    if added:
        _list(description, "crewsight:Keywords", "rdf:Bag", added)


def _mark(root: ET.Element, description: ET.Element, said: PictureSaid | None) -> None:
    """Our boxes behind those of others."""
    ours = [area for li in _items(_find(root, "crewsight:Regions")) if (area := _area_written(li.text or ""))]
    _remove(root, "crewsight:Regions")
    info = _find(root, "mwg-rs:Regions")
    _remove(root, "mwg-rs:Regions")
    bag = info.find(f".//{_name('mwg-rs:RegionList')}/*") if info is not None else None
    for li in list(bag) if bag is not None else []:
        area = _area_of(li)
        if bag is not None and area is not None and any(_is_same(area, own) for own in ours):
            bag.remove(li)
    regions = said.regions if said else ()
    if info is not None and bag is not None and (len(bag) or regions):
        description.append(info)  # behind the rest, so that writing the same again changes nothing
    elif said is not None and regions:
        bag = _new_regions(description, said.size_wh)
    if bag is not None and regions:
        bag.extend(_region(region) for region in regions)
        _list(description, "crewsight:Regions", "rdf:Bag", [_written(region.area) for region in regions])


def _new_regions(description: ET.Element, size_wh: tuple[int, int]) -> ET.Element:
    regions = _struct(ET.SubElement(description, _name("mwg-rs:Regions")))
    size = _struct(ET.SubElement(regions, _name("mwg-rs:AppliedToDimensions")))
    for name, value in (("stDim:w", size_wh[0]), ("stDim:h", size_wh[1]), ("stDim:unit", "pixel")):
        ET.SubElement(size, _name(name)).text = str(value)
    return ET.SubElement(ET.SubElement(regions, _name("mwg-rs:RegionList")), _name("rdf:Bag"))


def _region(region: Region) -> ET.Element:
    li = _struct(ET.Element(_name("rdf:li")))
    ET.SubElement(li, _name("mwg-rs:Description")).text = region.caption
    area = _struct(ET.SubElement(li, _name("mwg-rs:Area")))
    for name, value in zip("xywh", _numbers(region.area), strict=True):
        ET.SubElement(area, _name(f"stArea:{name}")).text = value
    ET.SubElement(area, _name("stArea:unit")).text = "normalized"
    return li


def _area_of(region: ET.Element) -> Area | None:
    """The area of a region in whichever of RDF's forms it is written."""
    found = region.find(f".//{_name('mwg-rs:Area')}")
    if found is None:
        return None
    told = {
        **{node.tag: node.text or "" for node in found.iter()},
        **{k: v for n in found.iter() for k, v in n.items()},
    }
    return _area_written(" ".join(told.get(_name(f"stArea:{name}"), "") for name in "xywh"))


def _area_written(text: str) -> Area | None:
    try:
        x, y, w, h = map(float, text.split())
    except ValueError:
        return None
    return Area(x, y, w, h)


def _written(area: Area) -> str:
    return " ".join(_numbers(area))


def _numbers(area: Area) -> list[str]:
    return [f"{value:.5f}" for value in (area.x, area.y, area.w, area.h)]


def _is_same(one: Area, other: Area) -> bool:
    sides = zip((one.x, one.y, one.w, one.h), (other.x, other.y, other.w, other.h), strict=True)
    return all(abs(a - b) <= SAME_WITHIN for a, b in sides)


def _description(root: ET.Element) -> ET.Element:
    """The description that our properties go into: the first one, which is of the picture itself."""
    rdf = root.find(_name("rdf:RDF"))
    rdf = rdf if rdf is not None else ET.SubElement(root, _name("rdf:RDF"))
    found = rdf.find(_name("rdf:Description"))
    return found if found is not None else ET.SubElement(rdf, _name("rdf:Description"), {_name("rdf:about"): ""})


def _top(root: ET.Element) -> Iterator[ET.Element]:
    yield from root.findall(f"{_name('rdf:RDF')}/{_name('rdf:Description')}")


def _find(root: ET.Element, name: str) -> ET.Element | None:
    return next((found for node in _top(root) if (found := node.find(_name(name))) is not None), None)


def _remove(root: ET.Element, name: str) -> None:
    for node in _top(root):
        for found in node.findall(_name(name)):
            node.remove(found)


def _is_attribute(root: ET.Element, name: str) -> bool:
    return any(_name(name) in node.attrib for node in _top(root))


def _properties(node: ET.Element) -> list[str]:
    return [name for name in node.attrib if name != _name("rdf:about")]


def _items(listed: ET.Element | None) -> list[ET.Element]:
    return listed.findall(f"*/{_name('rdf:li')}") if listed is not None else []


def _list(description: ET.Element, name: str, kind: str, words: Iterable[str]) -> ET.Element:
    """Add a list of texts to the description; returns its last item."""
    listed = ET.SubElement(ET.SubElement(description, _name(name)), _name(kind))
    for word in words:
        ET.SubElement(listed, _name("rdf:li")).text = word
    return listed[-1]


def _struct(node: ET.Element) -> ET.Element:
    node.set(_name("rdf:parseType"), "Resource")
    return node


def _text_of(node: ET.Element | None) -> str | None:
    return node.text if node is not None else None


def _name(short: str) -> str:
    prefix, name = short.split(":")
    return f"{{{NAMESPACES[prefix]}}}{name}"


for _prefix, _uri in NAMESPACES.items():
    ET.register_namespace(_prefix, _uri)
