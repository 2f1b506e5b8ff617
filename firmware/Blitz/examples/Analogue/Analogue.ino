/*
 * A "Blitz Basic" board, which every Blitz knows: five analogue inputs, five digital ones.
 *
 * Payload: A0 to A4 as read, 12 bits each (the converter gives 10). Flags 1 to 5: pins 2 to 6, which are pulled up: a
 * switch to ground reads 0.
 */
#include <Blitz.h>

#ifndef BLITZ_BAUD
#define BLITZ_BAUD 57600
#endif

const uint32_t PERIOD_MS = 20;
const uint8_t ANALOGUE_PINS[] = {A0, A1, A2, A3, A4};
const uint8_t DIGITAL_PINS[] = {2, 3, 4, 5, 6};

BlitzBoard<60> board(0x08);
uint32_t last_ms = 0;

void setup() {
  for (uint8_t pin : DIGITAL_PINS) pinMode(pin, INPUT_PULLUP);
  Serial.begin(BLITZ_BAUD);
  board.begin(Serial);
}

void loop() {
  board.poll();
  if (!board.isLogging()) {
    last_ms = millis();
    return;
  }
  if (millis() - last_ms < PERIOD_MS) return;
  last_ms += PERIOD_MS;
  BlitzPayload payload;
  for (uint8_t pin : ANALOGUE_PINS) payload.add(analogRead(pin), 12);
  uint8_t flags = 0;
  for (uint8_t pin : DIGITAL_PINS) flags = flags << 1 | digitalRead(pin);
  board.log(payload, flags);
}
