"""The paper's figures: what matching looks at, and methods beside one another."""
