"""
Would a mistake in the Lua be noticed? One small thing of it is changed at a time, and something must go wrong.

    mutants.py, operators.py    every change: of operators, constants, words, conditions, statements
    recorded.py, sequences.py   calls with the oracle's answers and books, asked again of each mutant
    battery.py                  these, and the behaviour tests of tests/allocator, with the lines that each reaches
    judge.py, run.py            a mutant is killed by the first case that goes wrong with it
    survivors.toml              mutants that may live, each with its reason

All of it runs on the simulator's server, in this process: most mutants live for a few hundredths of a second.
"""
