// The topics that Norn gives: streams of a Redis-protocol server, read by a group so that each message is done once.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const group = "queue-processor"

// server is one connection, which speaks the few commands that the worker needs.
type server struct {
	conn   net.Conn
	reader *bufio.Reader
}

// dial connects to redis://user:password@host:port.
func dial(address string) (*server, error) {
	parts, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the URL cannot be read")
	}
	conn, err := net.DialTimeout("tcp", parts.Host, 10*time.Second)
	if err != nil {
		return nil, err
	}
	s := &server{conn, bufio.NewReader(conn)}
	password, _ := parts.User.Password()
	if _, err := s.do("AUTH", parts.User.Username(), password); err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

// do sends a command and returns its reply: a string, an int64, nil, or a list of these.
func (s *server) do(words ...string) (any, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, word := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(word), word)
	}
	s.conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(s.conn, b.String()); err != nil {
		return nil, err
	}
	return s.reply()
}

func (s *server) reply() (any, error) {
	line, err := s.reader.ReadString('\n')
	if err != nil {
		return nil, err
	}
	kind, rest := line[0], strings.TrimRight(line[1:], "\r\n")
	switch kind {
	case '+':
		return rest, nil
	case '-':
		return nil, errors.New(rest)
	case ':':
		return strconv.ParseInt(rest, 10, 64)
	}
	size, err := strconv.Atoi(rest)
	if err != nil || size < 0 {
		return nil, err
	}
	if kind == '$' {
		text := make([]byte, size+2)
		_, err := io.ReadFull(s.reader, text)
		return string(text[:size]), err
	}
	list := make([]any, size)
	for i := range list {
		if list[i], err = s.reply(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// message is one entry of a topic.
type message struct {
	id, body string
}

// next waits up to two seconds for a message of the topic; nil when there is none.
func (s *server) next(topic, host string) (*message, error) {
	found, err := s.do("XREADGROUP", "GROUP", group, host, "COUNT", "1", "BLOCK", "2000", "STREAMS", topic, ">")
	if err != nil || found == nil {
		return nil, err
	}
	entry := found.([]any)[0].([]any)[1].([]any)[0].([]any)
	fields := entry[1].([]any)
	return &message{entry[0].(string), fields[1].(string)}, nil
}

// ready makes the group of readers, once.
func (s *server) ready(topic string) error {
	_, err := s.do("XGROUP", "CREATE", topic, group, "0", "MKSTREAM")
	if err != nil && strings.HasPrefix(err.Error(), "BUSYGROUP") {
		return nil
	}
	return err
}
