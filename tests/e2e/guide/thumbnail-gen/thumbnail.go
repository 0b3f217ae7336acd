package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif"
	_ "image/jpeg"
	"image/png"
	"io"
)

// mostPixels keeps the decoded picture well within the 256 MiB of a function.
const mostPixels = 12_000_000

// thumbnail reads a picture and writes it as a PNG whose longer side has at most size pixels.
func thumbnail(body io.Reader, response io.Writer, size int) error {
	data, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("the body cannot be read: %w", err)
	}
	picture, err := decode(data)
	if err != nil {
		return err
	}
	return png.Encode(response, shrink(picture, size))
}

// decode reads the picture after a look at its header: a small file can claim to be a huge picture.
func decode(data []byte) (image.Image, error) {
	if len(data) == 0 {
		return nil, errors.New("the request has no body; POST a PNG, JPEG or GIF picture")
	}
	header, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("the body (%d bytes, beginning %q) is not a PNG, JPEG or GIF picture: %w", len(data), beginning(data), err)
	}
	if header.Width == 0 || header.Height == 0 || header.Width > mostPixels/header.Height {
		return nil, fmt.Errorf("the picture is %d x %d; at most %d pixels are read", header.Width, header.Height, mostPixels)
	}
	picture, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("the picture is damaged: %w", err)
	}
	return picture, nil
}

func beginning(data []byte) []byte {
	if len(data) > 12 {
		return data[:12]
	}
	return data
}

// shrink scales a picture down until it fits into a square; a smaller picture keeps its size.
func shrink(picture image.Image, size int) image.Image {
	from := picture.Bounds()
	width, height := fit(from.Dx(), from.Dy(), size)
	small := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := 0; y < height; y++ {
		for x := 0; x < width; x++ {
			block := image.Rect(x*from.Dx()/width, y*from.Dy()/height, (x+1)*from.Dx()/width, (y+1)*from.Dy()/height)
			small.Set(x, y, average(picture, block.Add(from.Min)))
		}
	}
	return small
}

// fit returns the sides of the largest rectangle of the same shape within the square; no side is under 1.
func fit(width, height, size int) (int, int) {
	longest := width
	if height > longest {
		longest = height
	}
	if longest <= size {
		return width, height
	}
	return atLeastOne(width * size / longest), atLeastOne(height * size / longest)
}

func atLeastOne(n int) int {
	if n < 1 {
		return 1
	}
	return n
}

// average mixes the pixels of a block; the channels are premultiplied, so transparent pixels lend no colour.
func average(picture image.Image, block image.Rectangle) color.RGBA64 {
	var red, green, blue, alpha uint64
	for y := block.Min.Y; y < block.Max.Y; y++ {
		for x := block.Min.X; x < block.Max.X; x++ {
			r, g, b, a := picture.At(x, y).RGBA()
			red, green, blue, alpha = red+uint64(r), green+uint64(g), blue+uint64(b), alpha+uint64(a)
		}
	}
	n := uint64(block.Dx() * block.Dy())
	return color.RGBA64{R: uint16(red / n), G: uint16(green / n), B: uint16(blue / n), A: uint16(alpha / n)}
}
