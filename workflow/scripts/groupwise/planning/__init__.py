"""Before the data: power, groups and sizes needed, smallest effects that would be found."""
