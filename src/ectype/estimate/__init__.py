"""What we believe: behaviours traced once, filtered by the fleet. Heavy (CasADi, LLVM): import it in a process
of its own.
"""
