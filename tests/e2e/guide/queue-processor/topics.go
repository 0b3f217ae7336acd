package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"
)

// workOnTopics moves messages from the first topic to the second until ctx ends; a lost connection is made again.
func workOnTopics(ctx context.Context, logger *log.Logger, host string) int {
	done := 0
	for ctx.Err() == nil {
		if err := session(ctx, logger, host, &done); err != nil {
			logger.Printf("queue-processor: %v; trying again", err)
			time.Sleep(time.Second)
		}
	}
	return done
}

func session(ctx context.Context, logger *log.Logger, host string, done *int) error {
	topics := strings.Split(os.Getenv("EVENTS_TOPICS"), ",")
	if len(topics) < 2 {
		return fmt.Errorf("EVENTS_TOPICS is %q; expected two topics", os.Getenv("EVENTS_TOPICS"))
	}
	events, err := dial(os.Getenv("EVENTS_URL"))
	if err != nil {
		return err
	}
	defer events.conn.Close()
	keys, err := dial(os.Getenv("KV_URL"))
	if err != nil {
		return err
	}
	defer keys.conn.Close()
	if err := events.ready(topics[0]); err != nil {
		return err
	}
	for ctx.Err() == nil {
		job, err := events.next(topics[0], host)
		if err != nil {
			return err
		}
		if job == nil {
			continue
		}
		answer := answerTo(job.body)
		if _, err := events.do("XADD", topics[1], "MAXLEN", "~", "10000", "*", "body", answer); err != nil {
			return err
		}
		if _, err := events.do("XACK", topics[0], group, job.id); err != nil {
			return err
		}
		if _, err := keys.do("INCR", os.Getenv("KV_PREFIX")+"done"); err != nil {
			return err
		}
		*done++
		logger.Printf("job %d: %s", *done, answer)
	}
	return nil
}

func answerTo(body string) string {
	number, err := strconv.ParseUint(body, 10, 64)
	if err != nil {
		return fmt.Sprintf("%q is no number", body)
	}
	return fmt.Sprintf("%d = %s", number, product(factorise(number)))
}
