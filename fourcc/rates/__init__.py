"""How fast this machine converts and reads: what earlier conversions took, else figures of another machine, scaled."""
