"""The thin library behind the companion of "Do We Always Need the Simplicity Bias?" (Teney et al., CVPR 2025)."""
