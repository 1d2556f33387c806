"""Versions of SSM documents.

moto lacks ListDocumentVersions, looks for a version of the name `$DEFAULT`, says of a version that is not
there that the document is not, and takes version 9 for later than version 10 when the latest was deleted.

https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ListDocumentVersions.html
https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetDocument.html
https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DeleteDocument.html
"""

from moto.core.responses import ActionResult
from moto.ssm.exceptions import InvalidDocument, InvalidDocumentVersion
from moto.ssm.models import Document, Documents
from moto.ssm.responses import SimpleSystemManagerResponse as SsmResponse

find_by_moto = Documents.find
update_default_by_moto = Documents.update_default_version


def no_such_version() -> InvalidDocumentVersion:
    return InvalidDocumentVersion("The document version is not valid or does not exist.")


def find(self: Documents, document_version=None, version_name=None, strict=True) -> Document:  # noqa: ANN001
    version = None if document_version == "$DEFAULT" else document_version
    try:
        return find_by_moto(self, version, version_name, strict)
    except InvalidDocument as error:
        raise no_such_version() from error


def update_default_version(self: Documents, version: str) -> Document:
    if version not in self.versions:
        raise no_such_version()
    return update_default_by_moto(self, version)


def delete(self: Documents, *versions: str) -> None:
    for version in versions:
        self.versions.pop(version, None)
    if self.versions and self.latest_version not in self.versions:
        self.latest_version = max(self.versions, key=int)


def list_document_versions(self: SsmResponse) -> ActionResult:
    name = self._get_param("Name")
    documents = self.ssm_backend._get_documents(name)
    size, start = self._get_param("MaxResults") or 50, int(self._get_param("NextToken") or 0)
    versions = sorted(documents.versions, key=int, reverse=True)
    result = {"DocumentVersions": [describe(documents, version) for version in versions[start : start + size]]}
    if start + size < len(versions):
        result["NextToken"] = str(start + size)
    return ActionResult(result)


def describe(documents: Documents, version: str) -> dict:
    document = documents.versions[version]
    return {
        "Name": document.name,
        "DocumentVersion": version,
        "CreatedDate": document.created_date,
        "IsDefaultVersion": version == documents.default_version,
        "DocumentFormat": document.document_format,
        "Status": document.status,
    }


def apply() -> None:
    Documents.find = find
    Documents.update_default_version = update_default_version
    Documents.delete = delete
    SsmResponse.list_document_versions = list_document_versions
