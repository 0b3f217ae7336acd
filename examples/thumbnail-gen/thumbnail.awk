# Halves a picture. In: the bytes of a PGM or PPM file (P2, P3, P5, P6) as decimal numbers. Out: a grey PGM as text (P2).
# The format: https://netpbm.sourceforge.net/doc/pgm.html

function fail(sentence) {
  print "thumbnail-gen: " sentence | "cat >&2"
  close("cat >&2")
  failed = 1
  exit 1
}

function number(name, text, most) {
  if (text !~ /^[0-9]+$/ || text + 0 < 1 || text + 0 > most) fail("the " name " is \"" text "\"; expected a number from 1 to " most)
  return text + 0
}

# The header has four fields: kind, width, height, brightest value. In P2 and P3 the fields after it are the samples.
function take_word(text) {
  words++
  if (words == 1) {
    if (text !~ /^P[2356]$/)
      fail("the body begins with \"" substr(text, 1, 20) "\", so it is no PGM or PPM picture; send one (P2, P3, P5 or P6), for example sample.pgm")
    kind = text
  }
  else if (words == 2) width = number("width", text, 100000)
  else if (words == 3) height = number("height", text, 100000)
  else if (words == 4) { brightest = number("brightest value", text, 65535); raw = (kind == "P5" || kind == "P6") }
  else if (text !~ /^[0-9]+$/) fail("there is \"" substr(text, 1, 20) "\" among the samples; expected numbers from 0 to " brightest)
  else take_sample(text + 0)
}

function take_sample(value) {
  if (kind == "P2" || kind == "P5") { take_pixel(value); return }
  colour[parts++] = value
  if (parts < 3) return
  parts = 0
  take_pixel(0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2])
}

# Each pixel is added to the block of 2 x 2 it lies in; blocks at the right and lower edge may be smaller.
function take_pixel(value) {
  if (y == height) return
  if (value > brightest) fail("pixel " x " of row " y " is " value ", but the brightest value is " brightest)
  column = int(x / 2)
  sum[column] += value
  pixels[column]++
  if (++x < width) return
  x = 0
  if (++y % 2 == 0 || y == height) end_block_row()
}

function end_block_row(  i, line) {
  for (i = 0; i * 2 < width; i++) {
    line = line (i ? (i % 16 ? " " : "\n") : "") int(sum[i] / pixels[i] + 0.5)
    sum[i] = pixels[i] = 0
  }
  rows[++done] = line
}

function take_byte(byte) {
  if (raw && brightest < 256) take_sample(byte)
  else if (raw) { if (half) take_sample(high * 256 + byte); else high = byte; half = !half }
  else if (comment) comment = (byte != 10)
  else if (byte == 35 || byte == 32 || (byte >= 9 && byte <= 13)) {
    comment = (byte == 35)
    if (word != "") { finished = word; word = ""; take_word(finished) }
  }
  else word = word sprintf("%c", byte)
}

{ for (i = 1; i <= NF; i++) take_byte($i + 0) }

END {
  if (failed) exit 1
  if (NR == 0) fail("the request has no body; send a PGM or PPM picture, for example sample.pgm")
  if (word != "") take_word(word)
  if (words < 4) fail("the body ends within the header; expected kind, width, height and brightest value")
  if (y < height) fail("the picture ends after " y * width + x " of " width * height " pixels")
  print "P2\n" int((width + 1) / 2) " " int((height + 1) / 2) "\n" brightest
  for (i = 1; i <= done; i++) print rows[i]
}
