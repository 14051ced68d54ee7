"""The syllabus made visible: each topic of the schedule with its readings, tables, lab tasks, pages and source in mlsys_core."""
