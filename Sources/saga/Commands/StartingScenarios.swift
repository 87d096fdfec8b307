import JSON

/// The scenarios that `saga init` writes beside its definition: right as they stand.
enum StartingScenarios {
    /// - Parameter file: the name of the definition's file, which lies in the folder above.
    static func text(of file: String) -> String {
        template.replacing("\"FILE\"", with: JSON.string("../\(file)").text, maxReplacements: 1)
    }

    private static let template = #"""
        {
          "$schema": "../saga-test.schema.json",
          "definition": "FILE",
          "description": "What is to happen in a run, and what must come of it, in virtual time: saga test runs it.",
          "input": {"orderId": "42", "amountCents": 2500},
          "outputs": {
            "reserve": {"reservationId": "r-1"},
            "charge": {"chargeId": "c-1"},
            "ship": {"shipmentId": "s-1"}
          },
          "scenarios": [
            {
              "name": "everything goes well",
              "expect": {
                "status": "completed",
                "output": {"orderId": "42", "shipmentId": "s-1"},
                "calls": ["reserve", "charge", "ship"]
              }
            },
            {
              "name": "nothing is to be paid",
              "input": {"orderId": "42", "amountCents": 0},
              "expect": {"status": "completed", "calls": ["reserve", "ship"], "steps": {"charge": "skipped"}}
            },
            {
              "name": "the card is declined: the reservation is released",
              "answers": {"charge": {"status": 402, "error": "CardDeclined"}},
              "expect": {
                "status": "compensated",
                "failure": {"step": "charge", "error": "CardDeclined"},
                "calls": ["reserve", "charge", "reserve:compensation"],
                "effects": []
              }
            },
            {
              "name": "the answer to the charge is lost: it is asked again under the same key, and charged once",
              "answers": {"charge": [{"lost": true}, {}]},
              "expect": {"status": "completed", "effects": ["reserve", "charge", "ship"]}
            },
            {
              "name": "a person cancels before it is shipped",
              "answers": {"charge": {"delay": "2s"}},
              "signals": [{"at": "1s", "cancel": "changed my mind"}],
              "expect": {
                "status": "compensated",
                "calls": ["reserve", "charge", "charge:compensation", "reserve:compensation"],
                "effects": []
              }
            }
          ]
        }

        """#
}
