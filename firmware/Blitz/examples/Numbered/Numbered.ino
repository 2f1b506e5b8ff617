/*
 * Numbered messages, fetched by the server: whatever is lost on the way shows as a missing number.
 *
 * Payload: bits 0-31 the message's number, 0 at START; bits 32-47 how many messages this board has dropped since START
 * because nobody fetched them in time; bits 48-63 how many were waiting when this one was logged. The definition for the
 * server is numbered.toml in the folder firmware/definitions.
 */
#include <Blitz.h>

#ifndef BLITZ_BAUD
#define BLITZ_BAUD 57600
#endif
#ifndef BLITZ_RATE_HZ
#define BLITZ_RATE_HZ 80
#endif
#if RAMEND > 0x1000
#define BLITZ_CAPACITY 500
#else
#define BLITZ_CAPACITY 90
#endif

const uint32_t PERIOD_US = 1000000UL / BLITZ_RATE_HZ;

BlitzBoard<BLITZ_CAPACITY> board(0x1a);
uint32_t last_us = 0;

void setup() {
  Serial.begin(BLITZ_BAUD);
  board.begin(Serial);
}

void loop() {
  board.poll();
  if (!board.isLogging()) {
    last_us = micros();
    return;
  }
  if (micros() - last_us < PERIOD_US) return;
  last_us += PERIOD_US;
  BlitzPayload payload;
  payload.add(board.logged(), 32).add(min(board.dropped(), 0xffffUL), 16).add(board.pending(), 16);
  board.log(payload);
}
