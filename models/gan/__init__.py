"""What a GAN is made of: the table of recipes, losses, regularizers, optimizers, augmentation."""
