# What the other modules of the package use of _graph.
from mlx.kernels._tree cimport HeldObjects
from mlx.kernels.library cimport CGraph, Params, ProgramRef, StreamId, shared_ptr

cdef class Graph:
    cdef shared_ptr[const CGraph] held

cdef class Program:
    cdef ProgramRef held
    cdef Graph called  # of which the calls below are
    cdef Params callee  # what these calls share

cdef list call_handles(
    Graph graph, Program program, const HeldObjects* arguments, StreamId stream
)
