variable "name" {
  description = "What the names of all resources begin with"
  type        = string
  default     = "sessions"
}

variable "vpc_id" {
  description = "The VPC that the instance is in"
  type        = string
  default     = "vpc-0a1b2c3d4e5f60718"
}

variable "subnet_id" {
  description = "The subnet that the instance is in"
  type        = string
  default     = "subnet-0a1b2c3d4e5f60718"
}

variable "image" {
  description = "The image of the instance; SSM Agent must be on it"
  type        = string
  default     = "ami-0a1b2c3d4e5f60718"
}

variable "tags" {
  description = "The tags of the instance"
  type        = map(string)
  default = {
    AppID    = "payments"
    DataType = "Sensitive"
  }
}

variable "session_key" {
  description = "The ARN of the key that encrypts sessions; none where it is empty"
  type        = string
  default     = ""
}
