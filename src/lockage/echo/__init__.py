"""What a build with nothing to do printed, and all that it follows from: printed again while every bit of that is as it was.

Invariants: an echo is only ever made of a build that did nothing, by the whole program (:mod:`lockage.wiring.echoes`), and counts only
while a look at each thing that the build looked at finds it as it was; whoever is in doubt lets the whole program answer, which costs
time and nothing else. Nothing here imports more than the interpreter has at hand: no click, no msgspec, not even typing, as each of them
costs more than all of the looking (docs/adr/0016-echo.md).
"""
