"""How well objects were followed: the measures of DAVIS, and the methods that they are applied to."""
