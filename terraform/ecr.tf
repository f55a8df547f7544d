# The image's home.

resource "aws_ecr_repository" "orderapp" {
  name                 = var.name
  image_tag_mutability = "IMMUTABLE" # what was deployed under a tag stays what it was
  force_delete         = !var.deletion_protection

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "AES256"
  }
}

resource "aws_ecr_lifecycle_policy" "orderapp" {
  repository = aws_ecr_repository.orderapp.name

  policy = jsonencode({
    rules = [
      {
        # There is one at most. What a rule matches is not expired by a rule after it.
        rulePriority = 1
        description  = "Keep what runs, however many releases came after it."
        selection    = { tagStatus = "tagged", tagPatternList = [var.image_tag], countType = "imageCountMoreThan", countNumber = 1 }
        action       = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "Keep about 30 releases, more than any rollback needs; one is up to nine, with its processors, SBOM and signature."
        selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 270 }
        action       = { type = "expire" }
      },
    ]
  })
}
