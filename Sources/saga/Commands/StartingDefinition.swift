import JSON

/// The definition that `saga init` writes: small, and valid as it stands.
///
/// It shows compensation, retry, a condition, a point of no return, the input's schema and an output.
enum StartingDefinition {
    /// - Parameter name: the saga's name.
    static func text(named name: String) -> String {
        template.replacing("\"NAME\"", with: JSON.string(name).text, maxReplacements: 1)
    }

    private static let template = #"""
        {
          "$schema": "./saga.schema.json",
          "saga": "NAME",
          "description": "Say here what this saga brings about. Its steps run in the order of the file; when one fails for good, those before it are undone in reverse order.",
          "input": {
            "description": "The JSON Schema of the input. A start whose input breaks it is refused.",
            "type": "object",
            "required": ["orderId", "amountCents"],
            "properties": {
              "orderId": {"type": "string", "minLength": 1, "maxLength": 64},
              "amountCents": {"type": "integer", "minimum": 0}
            },
            "additionalProperties": false
          },
          "deadline": "1h",
          "services": {
            "inventory": {
              "description": "Called at INVENTORY_URL of the daemon's environment, else on this machine.",
              "url": "${env:INVENTORY_URL:-http://127.0.0.1:8081}"
            },
            "payment": {
              "description": "Add headers such as \"Authorization\": \"Bearer ${env:PAYMENT_TOKEN}\" here.",
              "url": "${env:PAYMENT_URL:-http://127.0.0.1:8082}"
            },
            "shipping": {"url": "${env:SHIPPING_URL:-http://127.0.0.1:8083}"}
          },
          "steps": [
            {
              "name": "reserve",
              "description": "An action and how it is undone. The undo gets the header Saga-Compensates with the key of the action, so it can be done even when the action's answer was lost and reservationId is null.",
              "action": {
                "http": {"service": "inventory", "path": "/reservations", "body": {"orderId": "${ input.orderId }"}}
              },
              "compensation": {
                "http": {
                  "service": "inventory",
                  "path": "/reservations/release",
                  "body": {
                    "orderId": "${ input.orderId }",
                    "reservationId": "${ steps.reserve.output.reservationId }",
                    "reason": "${ failure.error }"
                  }
                }
              }
            },
            {
              "name": "charge",
              "description": "Skipped when nothing is to be paid. Lost answers and 5xx are tried again, with the same Idempotency-Key; a declined card isn't.",
              "when": "${ input.amountCents > 0 }",
              "action": {
                "http": {
                  "service": "payment",
                  "path": "/charges",
                  "body": {"orderId": "${ input.orderId }", "amountCents": "${ input.amountCents }"}
                },
                "timeout": "5s",
                "retry": {"maximumAttempts": 5, "initialInterval": "500ms", "nonRetryableErrors": ["CardDeclined"]}
              },
              "compensation": {
                "http": {
                  "service": "payment",
                  "path": "/refunds",
                  "body": {"orderId": "${ input.orderId }", "chargeId": "${ steps.charge.output.chargeId }"}
                }
              }
            },
            {
              "name": "ship",
              "description": "The point of no return: once it is done, nothing is undone any more. So it needs no compensation.",
              "pivot": true,
              "action": {
                "http": {
                  "service": "shipping",
                  "path": "/shipments",
                  "body": {
                    "orderId": "${ input.orderId }",
                    "reservationId": "${ steps.reserve.output.reservationId }"
                  }
                }
              }
            }
          ],
          "output": {
            "orderId": "${ input.orderId }",
            "shipmentId": "${ steps.ship.output.shipmentId }"
          }
        }

        """#
}
