"""What any artifact says about itself."""
