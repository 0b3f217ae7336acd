// Command thumbnail-gen is a function: a picture comes in as the request body on stdin, its thumbnail goes out on stdout.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
)

const usage = `thumbnail-gen makes thumbnails.

POST a PNG, JPEG or GIF picture; the answer is a PNG that fits into 128 x 128 pixels, or into ?size=N.
With ?sign=1 the answer is the signature (HMAC-SHA256) of that PNG, with the key in SIGNING_KEY.
`

func main() {
	if err := answer(os.Getenv, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "thumbnail-gen: %v\n", err)
		os.Exit(1)
	}
}

// answer writes the response to one request, whose parts Norn puts into the environment.
func answer(env func(string) string, body io.Reader, response io.Writer) error {
	if method := env("NORN_REQUEST_METHOD"); method == "GET" || method == "HEAD" {
		_, err := io.WriteString(response, usage)
		return err
	}
	size, err := sizeFrom(env("NORN_REQUEST_QUERY"))
	if err != nil {
		return err
	}
	if strings.Contains(env("NORN_REQUEST_QUERY"), "sign=1") {
		return sign(env("SIGNING_KEY"), body, response, size)
	}
	return thumbnail(body, response, size)
}

// sign writes the signature of the thumbnail instead of the thumbnail itself.
func sign(key string, body io.Reader, response io.Writer, size int) error {
	if key == "" {
		return errors.New("SIGNING_KEY is not set")
	}
	mac := hmac.New(sha256.New, []byte(key))
	if err := thumbnail(body, mac, size); err != nil {
		return err
	}
	_, err := fmt.Fprintf(response, "%x\n", mac.Sum(nil))
	return err
}

// sizeFrom reads the longest side, in pixels, from a query string such as size=64.
func sizeFrom(query string) (int, error) {
	values, err := url.ParseQuery(query)
	if err != nil || values.Get("size") == "" {
		return 128, err
	}
	size, err := strconv.Atoi(values.Get("size"))
	if err != nil || size < 1 || size > 1024 {
		return 0, fmt.Errorf("size is %q; expected a number from 1 to 1024", values.Get("size"))
	}
	return size, nil
}
