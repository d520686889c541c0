"""The system as operators see it: processes, queues, dead letters, disks, models."""
