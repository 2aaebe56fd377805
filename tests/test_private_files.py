"""Nobody but the owner of the process can read what the site writes."""

import os
from pathlib import Path
from stat import S_IMODE, S_ISLNK
from tempfile import TemporaryDirectory

import httpx
import pytest

from chatsite.installation.private_files import make_private
from tests.browser.site import ADMINISTRATOR, PASSWORD, Site, manage
from tests.files import image

NOBODY = 65534
ACCOUNT = {"DJANGO_SUPERUSER_USERNAME": ADMINISTRATOR, "DJANGO_SUPERUSER_PASSWORD": PASSWORD, "SECRET_KEY": ""}


@pytest.fixture(autouse=True)
def usual_umask():
    """Lets child processes start with the umask of most systems, under which new files are readable by all."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def list_readable(directory: Path) -> list[str]:
    """The paths in a directory, and itself, on which group or others have any permission."""
    paths = [directory, *directory.rglob("*")]
    modes = {path: path.lstat().st_mode for path in paths}
    return [str(path) for path, mode in modes.items() if mode & 0o077 and not S_ISLNK(mode)]


def attach_image(site: Site) -> None:
    with httpx.Client(base_url=site.url) as browser:
        browser.get("/accounts/login/")
        token = {"x-csrftoken": browser.cookies["csrftoken"]}
        browser.post("/accounts/login/", data={"login": ADMINISTRATOR, "password": PASSWORD}, headers=token)
        token = {"x-csrftoken": browser.cookies["csrftoken"], "hx-request": "true"}
        answer = browser.post("/attachments/", files={"files": ("drawing.png", image())}, headers=token)
        assert answer.status_code == 201, answer.text


def test_a_running_site_writes_only_private_files(tmp_path):
    data = tmp_path / "data"
    with Site(data, **ACCOUNT) as site:
        attach_image(site)
        names = {path.name for path in data.iterdir()}
        assert {"db.sqlite3", "db.sqlite3-wal", "db.sqlite3-shm", "secret_key", "sealing_key", "uploads"} <= names
        assert list_readable(data) == []


def test_a_start_corrects_an_existing_installation_and_follows_no_link(tmp_path):
    data, outside = tmp_path / "data", tmp_path / "outside"
    outside.mkdir()
    (outside / "page").write_text("for everybody")
    with Site(data, **ACCOUNT) as site:
        attach_image(site)
    for path in [data, *data.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    (data / "uploads" / "a file").symlink_to(outside / "page")
    (data / "uploads" / "a directory").symlink_to(outside)
    with Site(data, **ACCOUNT):
        assert list_readable(data) == []
    assert S_IMODE(outside.stat().st_mode) == 0o755
    assert S_IMODE((outside / "page").stat().st_mode) == 0o644


def test_a_database_outside_the_data_directory_is_private_too(tmp_path):
    database = tmp_path / "db" / "chat.sqlite3"
    database.parent.mkdir()
    elsewhere = ACCOUNT | {"DATABASE_URL": f"sqlite:///{database}"}
    with Site(tmp_path / "data", **elsewhere):
        pass
    database.chmod(0o644)
    with Site(tmp_path / "data", **elsewhere):
        files = list(database.parent.iterdir())
        assert database in files
        assert [path for path in files if path.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("command", [("migrate", "--verbosity=0"), ("collectstatic", "--no-input", "--verbosity=0")])
def test_other_commands_write_private_files(tmp_path, command):
    data = tmp_path / "data"
    assert manage(data, *command, SECRET_KEY="").returncode == 0
    assert {"secret_key", "sealing_key"} < {path.name for path in data.iterdir()}
    assert list_readable(data) == []


def test_the_owner_keeps_all_permissions(tmp_path):
    script = tmp_path / "script"
    script.touch()
    script.chmod(0o755)
    assert make_private(tmp_path) == []
    assert S_IMODE(script.stat().st_mode) == 0o700


def test_what_belongs_to_another_user_is_reported_and_the_rest_corrected():
    with TemporaryDirectory() as name:
        foreign, own = Path(name), Path(name, "own")
        own.touch(0o644)
        if os.getuid() == 0:
            foreign.chmod(0o755)
            os.chown(own, NOBODY, NOBODY)
            assert make_private_as_nobody(foreign) == [str(foreign)]
            assert (S_IMODE(foreign.stat().st_mode), S_IMODE(own.stat().st_mode)) == (0o755, 0o600)
        else:
            assert make_private_as_nobody(Path("/etc"))[0] == "/etc"


def make_private_as_nobody(directory: Path) -> list[str]:
    """Calls `make_private` in a child process that is not root."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            os.write(writing, "\n".join(map(str, make_private(directory))).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with open(reading) as found:
        return found.read().split("\n")


def test_a_shared_directory_stays_as_it_is_and_the_site_starts(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o1777)
    with Site(data, **ACCOUNT) as site:
        assert site.await_line("DATA_DIR")
    assert S_IMODE(data.stat().st_mode) == 0o1777
