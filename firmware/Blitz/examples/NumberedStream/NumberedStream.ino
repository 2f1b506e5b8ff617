/*
 * Numbered messages, sent unasked and as fast as the line carries them, from power-up on.
 *
 * The payload is that of the sketch Numbered, and so is the server's definition; the number is 0 at power-up and at
 * START. A message is made only when there is room for it, so that none is dropped here, and a missing number was lost
 * behind the board.
 */
#include <Blitz.h>

#ifndef BLITZ_BAUD
#define BLITZ_BAUD 57600
#endif

BlitzBoard<4> board(0x1b);

void setup() {
  Serial.begin(BLITZ_BAUD);
  board.begin(Serial, BLITZ_STREAMING);
}

void loop() {
  board.poll();
  if (!board.hasRoom()) return;
  BlitzPayload payload;
  payload.add(board.logged(), 32).add(min(board.dropped(), 0xffffUL), 16).add(board.pending(), 16);
  board.log(payload);
}
