"""What reproduces: the paper table by table, the ablation, the demo."""
