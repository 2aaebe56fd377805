"""Reads pages as a person would: by labels, alerts and buttons."""

from django.http import HttpResponse
from lxml import html

PASSWORD = "a quiet reading room"


def page(answer: HttpResponse) -> html.HtmlElement:
    return html.fromstring(answer.content.decode())


def alert(answer: HttpResponse) -> str:
    return " ".join(" ".join(box.text_content().split()) for box in page(answer).xpath("//*[@role='alert']"))


def labels(answer: HttpResponse) -> dict[str, html.HtmlElement]:
    document = page(answer)
    return {label.text_content(): document.get_element_by_id(label.get("for")) for label in document.iter("label")}


def buttons(answer: HttpResponse) -> list[str]:
    return [" ".join(button.text_content().split()) for button in page(answer).iter("button")]


def offences_against_csp(answer: HttpResponse) -> list[str]:
    """Finds what the content security policy forbids: inline scripts without the nonce, and inline styles."""
    document = page(answer)
    inline = document.xpath(
        "//script[not(@src) and not(@nonce) and not(@type='application/json')] | //style | //*[@style]"
    )
    handlers = document.xpath("//*[@*[starts-with(name(), 'on')]]")
    return [html.tostring(element).decode()[:100] for element in [*inline, *handlers]]
