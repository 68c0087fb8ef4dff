CASES: dict = {}
SCALARS: dict = {}
DTYPES: dict = {}
