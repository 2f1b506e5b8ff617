/*
 * A device that knows no protocol and just prints: 512,498,730. No library is needed.
 *
 * With CSV_HEADER defined as 1, the first line names the columns.
 */
#ifndef BLITZ_BAUD
#define BLITZ_BAUD 57600
#endif
#ifndef CSV_HEADER
#define CSV_HEADER 0
#endif

const uint32_t PERIOD_MS = 50;
uint32_t last_ms = 0;

void setup() {
  Serial.begin(BLITZ_BAUD);
#if CSV_HEADER
  Serial.println(F("left,middle,right"));
#endif
}

void loop() {
  if (millis() - last_ms < PERIOD_MS) return;
  last_ms += PERIOD_MS;
  Serial.print(analogRead(A0));
  Serial.print(',');
  Serial.print(analogRead(A1));
  Serial.print(',');
  Serial.println(analogRead(A2));
}
