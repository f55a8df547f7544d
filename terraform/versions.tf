terraform {
  # Write-only arguments (secret_string_wo) came with 1.11.
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0" # which one exactly is said by the lock file that `terraform init` writes
    }
  }

  # The state stays on this machine until this is switched on: docs/deploy.md says how. The
  # bucket has to exist, with versioning; use_lockfile keeps two people apart without DynamoDB.
  #
  # backend "s3" {
  #   bucket       = "YOUR-STATE-BUCKET"
  #   key          = "orderapp/terraform.tfstate"
  #   region       = "YOUR-REGION"
  #   encrypt      = true
  #   use_lockfile = true
  # }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = merge({ Application = var.name, ManagedBy = "terraform" }, var.tags)
  }
}

# The same once more, for what terraform test can't pretend: it has no ephemeral resources.
provider "aws" {
  alias  = "reading"
  region = var.region
}
