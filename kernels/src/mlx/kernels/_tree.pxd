# What the other modules of the package use of _tree.
cpdef tuple flatten_key(object tree, bint shapeless=*)
