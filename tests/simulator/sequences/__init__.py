"""
Every sequence of verbs in the life of an order and its shelves, on the real Lua in this process.

    life.py      the states an order may be in, and the verbs: data, one line each
    stage.py     one order on the simulator's store, the model beside it; goes back to where it was
    walking.py   all sequences from a state as a tree, or some that a seed draws
    __main__.py  `make sequences`
"""
