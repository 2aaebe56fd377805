"""Stores attached files in an S3-compatible store. Its packages are loaded only if UPLOADS_URL asks for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any, Final, NoReturn

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import ContentFile
from storages.backends.s3 import S3Storage
from storages.utils import clean_name

from chatsite.failures.faults import UploadsRefused, UploadsUnavailable

CONNECTING, READING = 3, 20
"""Seconds without an answer after which an attempt ends."""
ATTEMPTS: Final = 2
WRONG_KEY: Final = "The store of attached files refuses the access key or the secret of UPLOADS_URL."
REASONS: Final = {
    "AccessDenied": "The access key of UPLOADS_URL may not list, read, write and delete files in the bucket.",
    "AuthorizationHeaderMalformed": "The bucket of UPLOADS_URL is in another region. Set the right one: ?region=name.",
    "InvalidAccessKeyId": WRONG_KEY,
    "NoSuchBucket": "The bucket of UPLOADS_URL does not exist. Create it, or correct its name.",
    "PermanentRedirect": "The bucket of UPLOADS_URL is at another address or in another region.",
    "RequestTimeTooSkewed": "The clocks of this machine and of the store of attached files differ too much.",
    "SignatureDoesNotMatch": WRONG_KEY,
}
MISSING: Final = ("NoSuchKey", "404")


class ObjectStore(S3Storage):  # type: ignore[misc]
    """Its failures are OSErrors, as those of a disk."""

    def __init__(self, **options: Any) -> None:
        config = Config(
            signature_version="s3v4",
            # Every store knows this style; bucket names in host names need certificates for them.
            s3={"addressing_style": "path"},
            connect_timeout=CONNECTING,
            read_timeout=READING,
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
            # Many stores do not know the newer checksums.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        # Files are small: further threads would take more time than they save.
        transfer = TransferConfig(use_threads=False)
        # None: the environment's settings for other programs do not apply.
        others = {"security_token": None, "session_profile": None}
        super().__init__(client_config=config, transfer_config=transfer, **others, **options)

    @cached_property
    def connection(self) -> Any:
        """One for all threads, which can share its client. To make one takes a tenth of a second."""
        resource = self._create_session().resource
        return resource("s3", region_name=self.region_name, endpoint_url=self.endpoint_url, config=self.client_config)

    def _open(self, name: str, mode: str = "rb") -> "ContentFile[bytes]":
        with failing_like_a_disk(name):
            return ContentFile(self.bucket.Object(self._normalize_name(clean_name(name))).get()["Body"].read(), name)

    def _save(self, name: str, content: Any) -> str:
        with failing_like_a_disk(name):
            saved: str = super()._save(name, content)
            return saved

    def delete(self, name: str) -> None:
        with failing_like_a_disk(name):
            super().delete(name)

    def exists(self, name: str) -> bool:
        with failing_like_a_disk(name):
            return bool(super().exists(name))

    def listdir(self, name: str) -> tuple[list[str], list[str]]:
        with failing_like_a_disk(name):
            folders, files = super().listdir(name)
            return folders, files

    def get_modified_time(self, name: str) -> datetime:
        with failing_like_a_disk(name):
            moment: datetime = super().get_modified_time(name)
            return moment

    def url(self, *args: Any, **options: Any) -> NoReturn:
        raise NotImplementedError("Browsers get files from the site, which checks access, and never from the store.")


@contextmanager
def failing_like_a_disk(name: str) -> Iterator[None]:
    """Raises FileNotFoundError for a missing file, and UploadsUnavailable for everything else that the store says."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in MISSING:
            raise FileNotFoundError(f"{name} is missing in the store of attached files") from error
        if status >= 500 or status == 429:
            raise UploadsUnavailable(
                f"The store of attached files answers with an error ({code or status})."
            ) from error
        refusal = f"The store of attached files refuses a request ({code or status}). Check UPLOADS_URL."
        raise UploadsRefused(REASONS.get(code, refusal)) from error
    except (BotoCoreError, Boto3Error) as error:
        words = f"The store of attached files cannot be reached ({type(error).__name__})."
        raise UploadsUnavailable(f"{words} Check that it runs, and UPLOADS_URL.") from error
