"""What the program is shipped and deployed with: image, Compose, Terraform, wheel, workflow."""
