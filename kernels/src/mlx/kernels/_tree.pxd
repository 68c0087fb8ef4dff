# What the other modules of the package use of _tree.
cdef object key_of(object tree, bint shapeless, list arrays, bint* is_traced)
