// Command queue-processor is a worker: it takes one job after the other until it is told to stop.
// Each is a number to be split into its prime factors. It comes from a topic, or without topics is of its own making.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	logger := log.New(os.Stdout, "", log.LstdFlags|log.LUTC)
	pause, err := pauseFrom(os.Getenv("JOB_PAUSE"))
	if err != nil {
		logger.Fatalf("queue-processor: %v", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()

	host, _ := os.Hostname()
	var done int
	if os.Getenv("EVENTS_URL") != "" {
		logger.Printf("queue-processor starts in %s, with jobs of the topics %s", host, os.Getenv("EVENTS_TOPICS"))
		done = workOnTopics(ctx, logger, host)
	} else {
		logger.Printf("queue-processor starts in %s, with jobs of its own making, one every %s", host, pause)
		done = work(ctx, logger, pause)
	}
	logger.Printf("queue-processor ends after %d jobs", done)
}

// pauseFrom reads how long to wait between two jobs; a second when nothing is said.
func pauseFrom(text string) (time.Duration, error) {
	if text == "" {
		return time.Second, nil
	}
	pause, err := time.ParseDuration(text)
	if err != nil || pause <= 0 {
		return 0, fmt.Errorf("JOB_PAUSE is %q; expected a duration such as 500ms", text)
	}
	return pause, nil
}

// work does jobs until ctx ends and returns how many; the job in hand is always finished.
func work(ctx context.Context, logger *log.Logger, pause time.Duration) int {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for done := 0; ; {
		select {
		case <-ctx.Done():
			return done
		case <-ticker.C:
			done++
			number := uint64(time.Now().UnixNano())
			began := time.Now()
			factors := factorise(number)
			logger.Printf("job %d: %d = %s, in %s", done, number, product(factors), time.Since(began).Round(time.Microsecond))
		}
	}
}
