"""Texts in other encodings than UTF-8: the encoding is guessed, named, and can be changed until the text is sent."""

from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest
from asgiref.sync import sync_to_async
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from conversations import uploads
from conversations.inspection import ENCODINGS, Refused, decode_as
from conversations.inspection.guessing import guess
from conversations.models import Attachment, Conversation, Message
from conversations.models.attachment import ORIGINAL
from tests.conversations.asking import Opening, last_reply
from tests.conversations.attaching import attach, refusals, send, stored_files, upload
from tests.conversations.talking import read_page
from tests.conversations.uploads.test_odd_images import inspected
from tests.fakes import ModelServer
from tests.pages import fragment
from upstreams.models import ChatModel

STAFF: Final = {
    "gb18030": "姓名,部门,城市,备注\n张伟,研发部,北京,负责服务器维护\n李娜,市场部,上海,下周出差\n",
    "gbk": "姓名,部门\n王小明,研发\n",
    "big5": "姓名,部門,城市,備註\n陳大文,研發部,台北,負責伺服器維護\n林小美,市場部,高雄,下週出差\n",
    "cp932": "氏名,部署,都市,備考\n山田太郎,開発部,東京,サーバーの保守を担当\n佐藤花子,営業部,大阪,来週出張の予定\n",
    "euc-jp": "氏名,部署,都市,備考\n山田太郎,開発部,東京,サーバーの保守を担当\n佐藤花子,営業部,大阪,来週出張の予定\n",
    "euc-kr": "이름,부서,도시,비고\n김철수,개발부,서울,서버 유지보수 담당\n이영희,마케팅부,부산,다음 주 출장 예정\n",
    "cp1251": "Имя;Отдел;Город\nИван Петров;Разработка;Москва\nАнна Смирнова;Продажи;Казань, командировка\n",
    "koi8-r": "Имя;Отдел;Город\nИван Петров;Разработка;Москва\nАнна Смирнова;Продажи;Казань, командировка\n",
    "koi8-u": "Ім’я;Відділ;Місто\nІван Петренко;Розробка;Київ\n".replace("’", "'")
    + "Ганна;Її ґанок є на вулиці;Львів\n",
    "cp866": "Имя;Отдел;Город\nИван Петров;Разработка;Москва\nАнна Смирнова;Продажи;Казань, командировка\n",
    "cp1250": "Jméno;Oddělení;Město\nJiří Dvořák;Vývoj;Plzeň\nŽofie Šťastná;Příští týden na služební cestě;Brno\n",
    "iso8859-2": "Jméno;Oddělení;Město\nJiří Dvořák;Vývoj;Plzeň\nŽofie Šťastná;Příští týden na služební cestě;Brno\n",
    "cp1252": "Name;Abteilung;Stadt\nJörg Müller;Büro für Qualität;München\nÅsa Öberg;Geschäftsführung;Köln, 3 €\n",
    "iso8859-1": "Nom;Service;Ville\nHélène Lefèvre;Développement;Orléans\nFrançois;Sera à Genève dès l'été;Nîmes\n",
    "cp1253": "Όνομα;Τμήμα;Πόλη\nΓιώργος Παπαδόπουλος;Ανάπτυξη;Αθήνα\nΜαρία;Υπεύθυνη για τους διακομιστές;Πάτρα\n",
    "cp1254": "Ad;Bölüm;Şehir\nİbrahim Yılmaz;Geliştirme;İstanbul\nAyşe Güneş;Gelecek hafta iş gezisi;Muğla\n",
    "cp1255": "שם;מחלקה;עיר\nדוד כהן;פיתוח;ירושלים\nרחל לוי;נסיעה בשבוע הבא;חיפה\n",
    "cp1256": "الاسم;القسم;المدينة\nأحمد علي;التطوير;القاهرة\nفاطمة حسن;سفر الأسبوع القادم;دبي\n",
    "cp1257": "Vardas;Skyrius;Miestas\nJonas Žukauskas;Plėtra;Šiauliai\nRūta;Atsakinga už serverių priežiūrą;Kaunas\n",
    "cp874": "ชื่อ,แผนก,เมือง\nสมชาย ใจดี,พัฒนา,กรุงเทพ\nสมหญิง รักไทย,ดูแลเซิร์ฟเวอร์,เชียงใหม่\n",
    "cp850": "Name;Stadt\nMüller;Köln\nSchäfer;Datei für die Übung gelöscht, Größe geändert\n",
    "iso2022_jp": "氏名,部署\n山田太郎,開発部\n佐藤花子,来週出張の予定です\n",
    "utf-16-le": "Name;Stadt\nJörg Müller;München\n",
    "utf-16-be": "姓名,部门,城市\n张伟,研发部,北京\n",
    "utf-16": "Имя;Город\nИван;Москва\n",
    "utf-32": "Name;Stadt\nJörg Müller;München\n",
}
SHORT: Final = {
    "gb18030": ["中文", "你好", "文件不存在", "Error: 文件不存在 (code 2)"],
    "big5": ["錯誤訊息", "測試資料", "你好,世界"],
    "cp932": [
        "こんにちは",
        "テスト",
        "エラー: ファイルが見つかりません (code 2)",
        "Error: ファイルが見つかりません (code 2)",
    ],
    "euc-jp": ["こんにちは、世界", "テスト", "ファイルが見つかりません"],
    "cp949": ["안녕하세요", "오류"],
    "cp1251": ["Привет", "Москва", "log: ошибка чтения файла", "ПРИВЕТ, МИР! Это письмо"],
    "koi8-r": ["Привет, мир", "ошибка чтения файла"],
    "cp1253": ["Καλημέρα κόσμε"],
    "cp1255": ["שלום עולם"],
    "cp1256": ["مرحبا بالعالم"],
    "cp1250": ["Łódź", "Žluťoučký kůň", "Kraków, Gdańsk"],
    "cp1252": [
        *("Größe", "Åsa", "für", "don’t", "“quoted” – text…", "100 €", "21.5 °C", "© 2026 Example®", "Señor, ¿qué?"),
        *("São Paulo", "Perché è così? Città, università", "Räksmörgås på ön", "Crème brûlée", "§ 5 Abs. 2", "œuvre"),
        "2026-11-27 INFO ok\n" * 50_000 + "2026-11-27 WARN Datei für Müller fehlt",
    ],
}
LOG: Final = "2026-11-27 Müller ok — größer\n".encode()


@pytest.mark.parametrize(("encoding", "times"), [*product(STAFF, (1, 100))])
def test_a_text_in_any_encoding_that_people_use_is_read(encoding: str, times: int, tmp_path: Path) -> None:
    text = STAFF[encoding] * times
    with inspected(text.encode(encoding), tmp_path) as found:
        assert found.content.read_bytes().decode() == text
        is_certain = encoding in ("utf-16", "utf-32", "iso2022_jp")
        assert (found.encoding == "") == is_certain
        if found.original:
            assert decode_as(found.original.read_bytes(), found.encoding) == text


@pytest.mark.parametrize(
    ("encoding", "text"), [(encoding, text) for encoding, texts in SHORT.items() for text in texts]
)
@pytest.mark.parametrize("around", ["{}", "{}\n", "id;name\n1;{}\n2;x\n"])
def test_a_few_words_are_read(encoding: str, text: str, around: str) -> None:
    content = around.format(text).encode(encoding)
    guessed = guess(content)
    assert guessed and decode_as(content, guessed) == around.format(text)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (LOG * 3 + b"bad byte: \xff here\nna\xc3\xafve\n", LOG.decode() * 3 + "bad byte: \ufffd here\nnaïve\n"),
        (LOG + b"\xe4\xb8", LOG.decode() + "\ufffd"),
        (b"\x9c end\n" + LOG, "\ufffd end\n" + LOG.decode()),
        (LOG * 50 + "Müller\n".encode("cp1252") * 20, LOG.decode() * 50 + "M\ufffdller\n" * 20),
        ("日本語のログ\n".encode() * 4 + b"\xff\xfe\n", "日本語のログ\n" * 4 + "\ufffd\ufffd\n"),
        (b"\xef\xbb\xbf" + LOG * 2 + b"\xff\n", LOG.decode() * 2 + "\ufffd\n"),
    ],
    ids=["log", "cut", "start", "mixed", "japanese", "mark"],
)
def test_a_few_bad_bytes_do_not_change_the_rest_of_utf8(content: bytes, text: str, tmp_path: Path) -> None:
    with inspected(content, tmp_path) as found:
        assert (found.content.read_bytes().decode(), found.encoding) == (text, "utf-8")


@given(
    st.text(st.characters(min_codepoint=0xA1, max_codepoint=0xFFFC, exclude_categories=["C"]), min_size=20), st.data()
)
def test_one_bad_byte_in_any_utf8_costs_one_character(text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text)))
    content = text[:place].encode() + b"\xff" + text[place:].encode()
    assert guess(content) == "utf-8"
    assert decode_as(content, "utf-8") == text[:place] + "\ufffd" + text[place:]


@given(st.binary(max_size=300), st.sampled_from(sorted(ENCODINGS)))
def test_any_bytes_are_guessed_and_decoded_without_an_error(content: bytes, encoding: str) -> None:
    guess(content)
    decode_as(content, encoding).encode()


@pytest.mark.parametrize("name", ["chars", "lines", "one", "signs", "utf-16"])
def test_the_largest_text_is_read_in_bounded_time(name: str, tmp_path: Path) -> None:
    content = {
        "chars": bytes(range(0xA0, 0x100)) * 5_000,
        "lines": b"\xe4\n" * 250_000,
        "one": b"a" * 499_000 + b"\xe4",
        "signs": b"\x80" * 500_000,
        "utf-16": b"a\0" * 250_000,
    }[name]
    # An inspection that takes too long is ended and refused.
    with inspected(content, tmp_path) as found:
        assert found.encoding


@pytest.mark.parametrize(
    "content",
    [
        *(b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0", b"\x7fELF\x02\x01\x01\0", b"PK\x03\x04\x14\0\0\0\x08\0\x21\0"),
        *(
            bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 16,
            b"\x1f\x8b\x08\0\0\0\0\0\x02\xff\x4b\x04\0",
            b"\0\0\x80\x3f" * 100,
        ),
        b"a\0b\0c",
    ],
)
def test_binary_files_are_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"is not supported\. Supported: images"), inspected(content, tmp_path):
        pass


pages = pytest.mark.django_db(transaction=True)
WORDS: Final = STAFF["cp932"]


def chosen(html: str) -> str:
    [select] = fragment(html).cssselect(".draft-encoding select")
    [option] = select.cssselect("[selected]")
    return str(option.text)


@pages
async def test_the_guess_is_named_until_and_after_the_text_is_sent(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Read.")
    adas = await browser(ada)
    answer = await upload(adas, conversation, ("staff.csv", WORDS.encode("cp932")), ("plain.md", "Größe".encode()))
    assert chosen(answer.text) == "Japanese (Shift_JIS)" and "氏名,部署,都市,備考" in answer.text
    tab = await adas.open(conversation)
    file = await Attachment.objects.aget(name="staff.csv")
    await send(adas, conversation, "Who?", file)
    await tab.until_over((await last_reply(conversation)).message_id)
    asked = server.requests[-1].json["messages"][0]["content"]
    assert any(WORDS in str(block) or block.get("source", {}).get("data") == WORDS for block in asked)
    assert "read as Japanese (Shift_JIS)" in (await adas.get(f"/conversations/{conversation.pk}/")).text


@pages
@pytest.mark.parametrize("is_begun", [True, False], ids=["in a conversation", "on the first page"])
async def test_a_draft_can_be_read_in_another_encoding(
    browser: Opening, ada: User, conversation: Conversation, settings: Any, is_begun: bool
) -> None:
    adas, where = await browser(ada), conversation if is_begun else None
    file = await attach(adas, where, "staff.csv", WORDS.encode("cp932"))
    before = await adas.get(f"/attachments/{file.uuid}/")
    for encoding, text in (("cp1252", decode_as(WORDS.encode("cp932"), "cp1252")), ("cp932", WORDS)):
        answer = await adas.post(f"/attachments/{file.uuid}/encoding/", **{f"encoding-{file.uuid}": encoding})
        assert (answer.status_code, chosen(answer.text)) == (200, ENCODINGS[encoding])
        shown = await adas.http.get(f"/attachments/{file.uuid}/", headers={"if-none-match": before.headers["etag"]})
        assert (shown.status_code, shown.text) == (200, text)
        before = shown
        await file.arefresh_from_db()
        assert file.size == len(text.encode()) and len(stored_files(settings)) == 2
    page = await read_page(adas, where)
    assert page.one(".draft-encoding [selected]").text == "Japanese (Shift_JIS)"


@pages
async def test_without_scripts_another_encoding_keeps_the_typed_text(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    adas = await browser(ada)
    file = await attach(adas, conversation, "staff.csv", WORDS.encode("cp932"))
    fields = {f"encoding-{file.uuid}": "euc_jis_2004", "text": "Half a", "key": ""}
    answer = await adas.post(f"/attachments/{file.uuid}/encoding/", htmx=False, **fields)
    assert (answer.status_code, answer.headers["location"]) == (302, f"/conversations/{conversation.pk}/")
    page = await read_page(adas, conversation)
    assert page.one("#message").text == "Half a" and page.one(".draft-encoding [selected]").text == "Japanese (EUC-JP)"


@pages
@pytest.mark.parametrize("is_begun", [True, False], ids=["in a conversation", "on the first page"])
async def test_an_encoding_that_is_chosen_just_before_sending_counts(
    browser: Opening, ada: User, conversation: Conversation, is_begun: bool
) -> None:
    adas, where = await browser(ada), conversation if is_begun else None
    file = await attach(adas, where, "staff.csv", WORDS.encode("cp932"))
    address = f"/conversations/{conversation.pk}/turns/" if is_begun else "/turns/"
    fields = {"text": "Look", "attached": str(file.uuid), f"encoding-{file.uuid}": "cp1252"}
    assert (await adas.post(address, **fields)).is_success
    await file.arefresh_from_db()
    assert file.message_id and file.encoding == "cp1252"
    message = await Message.objects.aget(pk=file.message_id)
    assert message.blocks[0]["encoding"] == "Western (Windows-1252)"
    assert (await sync_to_async(file.read_content)()).decode() == decode_as(WORDS.encode("cp932"), "cp1252")


@pages
async def test_only_its_owner_can_change_the_encoding_and_only_before_sending(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    adas = await browser(ada)
    file = await attach(adas, conversation, "staff.csv", WORDS.encode("cp932"))
    certain = await attach(adas, conversation, "plain.md", b"Words")
    for person, key, encoding, status in (
        (await browser(ben), file.uuid, "cp1252", 404),
        (adas, certain.uuid, "cp1252", 404),
        (adas, file.uuid, "rot13", 422),
        (adas, file.uuid, "", 422),
    ):
        answer = await person.post(f"/attachments/{key}/encoding/", **{f"encoding-{key}": encoding})
        assert answer.status_code == status
    await send(adas, conversation, "Look", file)
    answer = await adas.post(f"/attachments/{file.uuid}/encoding/", **{f"encoding-{file.uuid}": "cp1252"})
    assert answer.status_code == 404
    assert (await sync_to_async(file.read_content)()).decode() == WORDS


@pages
async def test_the_original_is_deleted_with_the_text(
    browser: Opening, ada: User, conversation: Conversation, settings: Any
) -> None:
    adas = await browser(ada)
    file = await attach(adas, conversation, "staff.csv", WORDS.encode("cp932"))
    assert await sync_to_async(file.read_content)(ORIGINAL) == WORDS.encode("cp932")
    assert await sync_to_async(uploads.sweep)() == 0 and len(stored_files(settings)) == 2
    assert (await adas.post(f"/attachments/{file.uuid}/remove/")).status_code == 204
    assert stored_files(settings) == [] and not await Message.objects.aexists()


@pages
async def test_a_binary_file_is_refused_by_name(browser: Opening, ada: User, conversation: Conversation) -> None:
    answer = await upload(await browser(ada), conversation, ("a.txt", b"\x7fELF\x02\x01\x01\0" * 20))
    assert answer.status_code == 422 and "“a.txt” is not supported" in refusals(answer)[0]
