# Where sessions are logged.

data "aws_iam_policy_document" "log_key" {
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.current.partition}:iam::${local.account}:root"]
    }
  }

  statement {
    sid = "Logs"
    actions = [
      "kms:Decrypt*",
      "kms:Describe*",
      "kms:Encrypt*",
      "kms:GenerateDataKey*",
      "kms:ReEncrypt*",
    ]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["logs.${local.region}.amazonaws.com"]
    }
  }
}

resource "aws_kms_key" "logs" {
  description             = "Encrypts the logs of sessions"
  policy                  = data.aws_iam_policy_document.log_key.json
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_cloudwatch_log_group" "sessions" {
  name_prefix       = "${var.name}-"
  retention_in_days = 30
  kms_key_id        = aws_kms_key.logs.arn
}

resource "aws_s3_bucket" "sessions" {
  bucket              = "${var.name}-${local.account}-${local.region}"
  object_lock_enabled = true

  tags = {
    DataType = "Sensitive"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "sessions" {
  bucket = aws_s3_bucket.sessions.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}
