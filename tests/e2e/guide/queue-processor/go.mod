module queue-processor

go 1.19
