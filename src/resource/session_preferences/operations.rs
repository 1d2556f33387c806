//! Operations on documents.
//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_Operations.html>

use crate::remediate::operation::operation;
use crate::remediate::operation::parameter::part;
use crate::remediate::step_output::Text;

part! {
    /// A tag, as Systems Manager has it.
    SsmTag => aws_sdk_ssm::types::Tag { key: String => set_key, value: String => set_value, } ok
}

operation! {
    /// Makes a document.
    #[serde(rename_all = "PascalCase")]
    CreateDocument = ssm.create_document, "ssm" "CreateDocument" ["ssm:CreateDocument", "ssm:AddTagsToResource"] {
        name: String => set_name,
        content: Text => set_content,
        document_type: String => set_document_type,
        document_format: String => set_document_format,
        tags: Vec<SsmTag> => set_tags,
    }
}

operation! {
    /// Makes a new version of a document from its latest.
    #[serde(rename_all = "PascalCase")]
    UpdateDocument = ssm.update_document, "ssm" "UpdateDocument" ["ssm:UpdateDocument"] {
        name: String => set_name,
        content: Text => set_content,
        document_version: String => set_document_version,
        document_format: String => set_document_format,
    }
}

operation! {
    /// Makes a version the one that is used.
    #[serde(rename_all = "PascalCase")]
    UpdateDocumentDefaultVersion = ssm.update_document_default_version,
        "ssm" "UpdateDocumentDefaultVersion" ["ssm:UpdateDocumentDefaultVersion"] {
        name: String => set_name,
        document_version: Text => set_document_version,
    }
}

operation! {
    /// Deletes one version of a document; all of it, where none is named.
    #[serde(rename_all = "PascalCase")]
    DeleteDocument = ssm.delete_document, "ssm" "DeleteDocument" ["ssm:DeleteDocument"] {
        name: String => set_name,
        document_version: Option<Text> => set_document_version,
    }
}
