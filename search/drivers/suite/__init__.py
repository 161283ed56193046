"""MAmmoTH's nine evaluation sets: how each is asked and read, and the paper's rows beside ours."""
