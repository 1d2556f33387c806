//! Attributes that the schemas of providers mark as sensitive, of the types that code in AWS uses beside others.
//! <https://registry.terraform.io/providers/hashicorp/aws/latest/docs>

/// The attributes, by type. Managed resources and data sources of a type have the same names for them.
static SENSITIVE: &[(&str, &[&str])] = &[
    ("aws_acm_certificate", &["private_key"]),
    ("aws_acmpca_certificate_authority_certificate", &["certificate"]),
    ("aws_amplify_app", &["access_token", "basic_auth_credentials", "oauth_token"]),
    ("aws_amplify_branch", &["basic_auth_credentials"]),
    ("aws_api_gateway_api_key", &["value"]),
    ("aws_appsync_api_key", &["key"]),
    ("aws_cloudfront_public_key", &["encoded_key"]),
    ("aws_cognito_user_pool_client", &["client_secret"]),
    ("aws_db_instance", &["password", "password_wo"]),
    ("aws_directory_service_directory", &["password"]),
    ("aws_dms_endpoint", &["password"]),
    ("aws_docdb_cluster", &["master_password", "master_password_wo"]),
    ("aws_ecr_authorization_token", &["authorization_token", "password"]),
    ("aws_ecrpublic_authorization_token", &["authorization_token", "password"]),
    ("aws_eks_cluster_auth", &["token"]),
    ("aws_elasticache_replication_group", &["auth_token"]),
    ("aws_elasticache_user", &["passwords"]),
    ("aws_fsx_ontap_file_system", &["fsx_admin_password"]),
    ("aws_fsx_windows_file_system", &["password"]),
    ("aws_grafana_workspace_api_key", &["key"]),
    ("aws_iam_access_key", &["secret", "ses_smtp_password_v4"]),
    ("aws_iam_server_certificate", &["private_key"]),
    ("aws_iam_service_specific_credential", &["service_password"]),
    ("aws_iam_user_login_profile", &["password"]),
    ("aws_kms_ciphertext", &["plaintext"]),
    ("aws_kms_external_key", &["key_material_base64"]),
    ("aws_kms_secrets", &["plaintext"]),
    ("aws_lightsail_database", &["master_password"]),
    ("aws_lightsail_key_pair", &["private_key"]),
    ("aws_memorydb_user", &["passwords"]),
    ("aws_mq_broker", &["password"]),
    ("aws_neptune_cluster", &["master_password"]),
    ("aws_opensearch_domain", &["master_user_password"]),
    ("aws_opsworks_application", &["password", "private_key", "ssh_key"]),
    ("aws_pinpoint_apns_channel", &["certificate", "private_key", "token_key", "token_key_id"]),
    ("aws_pinpoint_gcm_channel", &["api_key"]),
    ("aws_rds_cluster", &["master_password", "master_password_wo"]),
    ("aws_redshift_cluster", &["master_password", "master_password_wo"]),
    ("aws_redshiftserverless_credentials", &["db_password"]),
    ("aws_redshiftserverless_namespace", &["admin_user_password", "admin_username"]),
    ("aws_secretsmanager_random_password", &["random_password"]),
    ("aws_secretsmanager_secret_version", &["secret_binary", "secret_string", "secret_string_wo"]),
    ("aws_ses_smtp_password", &["password"]),
    ("aws_sns_platform_application", &["platform_credential", "platform_principal"]),
    ("aws_spot_instance_request", &["password_data"]),
    ("aws_ssm_activation", &["activation_code"]),
    ("aws_ssm_parameter", &["value", "value_wo"]),
    ("aws_ssm_parameters_by_path", &["values"]),
    ("aws_storagegateway_smb_file_share", &["smb_guest_password"]),
    ("aws_transfer_ssh_key", &["private_key"]),
    ("aws_vpn_connection", &["customer_gateway_configuration", "tunnel1_preshared_key", "tunnel2_preshared_key"]),
    ("aws_workspaces_directory", &["registration_code"]),
    ("kubernetes_secret", &["binary_data", "data"]),
    ("local_sensitive_file", &["content", "content_base64"]),
    ("random_password", &["bcrypt_hash", "result"]),
    ("tls_private_key", &["private_key_openssh", "private_key_pem", "private_key_pem_pkcs8"]),
    ("tls_self_signed_cert", &["private_key_pem"]),
    ("vault_generic_secret", &["data", "data_json"]),
    ("vault_kv_secret", &["data", "data_json"]),
    ("vault_kv_secret_v2", &["data", "data_json"]),
];

/// Returns `true` if the provider marks the attribute as sensitive.
pub(crate) fn is_sensitive(kind: &str, attribute: &str) -> bool {
    let of_kind = SENSITIVE.binary_search_by_key(&kind, |(kind, _)| *kind);
    of_kind.is_ok_and(|index| SENSITIVE[index].1.contains(&attribute))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_sorted_so_that_they_are_found() {
        assert!(SENSITIVE.is_sorted_by_key(|(kind, _)| *kind));
        assert!(is_sensitive("random_password", "result") && is_sensitive("aws_ssm_parameter", "value"));
        assert!(!is_sensitive("aws_ssm_parameter", "name") && !is_sensitive("aws_instance", "user_data"));
    }
}
