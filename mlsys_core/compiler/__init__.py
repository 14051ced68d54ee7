"""From a loop nest to machine code: an intermediate representation, schedules that never change a result, and a tuner."""
