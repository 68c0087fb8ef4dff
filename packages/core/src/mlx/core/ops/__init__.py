"""The ops: each a public function, its op and its rules, side by side. See README.md."""
