"""What chapters share: figure style and figures, explorer scene, marking of exercises, numbers in prose, claims."""
