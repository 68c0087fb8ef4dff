"""Control flow that stays one node: scan, while_loop, cond. closure.py has what they share."""
