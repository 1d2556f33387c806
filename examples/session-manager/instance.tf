# The instance: no way in, and only HTTPS out.

resource "aws_security_group" "https_out" {
  name        = "${var.name}-https-out"
  description = "What an instance needs that is reached through Session Manager"
  vpc_id      = var.vpc_id

  egress {
    description = "HTTPS to AWS"
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_instance" "node" {
  ami                    = var.image
  instance_type          = "t3.micro"
  subnet_id              = var.subnet_id
  vpc_security_group_ids = [aws_security_group.https_out.id]
  iam_instance_profile   = aws_iam_instance_profile.node.name
  monitoring             = true
  tags                   = merge(var.tags, { Name = "${var.name}-node" })

  root_block_device {
    encrypted = true
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
    instance_metadata_tags      = "disabled"
  }
}
